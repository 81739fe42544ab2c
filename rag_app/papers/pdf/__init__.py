"""PDF pages -> words with boxes, in reading order, with their structure."""
