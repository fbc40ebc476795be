"""Other graders' doors: the same exercises, probes and keys as assignments for otter-grader (Gradescope) and nbgrader.

In both of them an answer runs in the same process as its check, so what docs/grading.md says of our own sandbox does not hold there.
"""
