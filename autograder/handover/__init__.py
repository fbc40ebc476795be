"""What an instructor does around grading: take in what students handed in, hand the course and the marks over.

unpack      files out of a folder of downloads, zips opened with limits    marks        rows of grades.csv, course totals
names       who and which notebook, from a learning platform's names       roster       a platform's list of students
collect     downloads to SUBMISSIONS/<student>/<notebook>/                 export       marks for Canvas, Moodle, spreadsheets
similarity  pairs that share more than the course gives                    release      the public course repository
"""
