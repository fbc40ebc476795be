"""The instructor's side: what is expected, how notebooks are built from masters, and how a class is graded."""
