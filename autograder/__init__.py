"""The instructor's side: what is expected, how notebooks are built from masters, and how a class is graded."""

import sys

# jsonschema's optional grammar of URIs, which comes with JupyterLab, takes a second to build whenever nbformat is imported.
sys.modules.setdefault("rfc3987_syntax", None)
