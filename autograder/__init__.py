"""The instructor's side: what is expected, how notebooks are built from masters, and how a class is graded."""

import sys

# jsonschema's grammar of URIs takes four seconds to build when nbformat is imported, and it is optional: without it, it is not used.
sys.modules.setdefault("rfc3987_syntax", None)
