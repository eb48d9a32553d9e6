"""What the commands print: values in, lines and JSON out."""
