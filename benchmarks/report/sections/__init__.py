"""One module a section of the report: from findings to blocks of a document."""
