"""What rules need to know about the world, as dated values: text in, values out."""
