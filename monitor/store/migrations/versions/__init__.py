"""The revisions. What a release has shipped is never edited, only followed by another."""
