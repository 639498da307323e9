"""What the evidence of a bounce says: one table, row by row."""
