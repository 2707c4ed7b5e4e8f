"""Fixtures and options that every room's tests share."""

import sys
from pathlib import Path

# Test helpers (`shared_data`, the conformance suites) are imported by name from this folder.
sys.path.insert(0, str(Path(__file__).parent))
