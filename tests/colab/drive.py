"""Runs a notebook in the stand-in for Colab: `drive.py NOTEBOOK RESULT`; the kernel starts in the current folder."""

import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=True).execute()
nbformat.write(notebook, sys.argv[2])
