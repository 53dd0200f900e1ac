"""Growth: a shop with a long history, loaded by COPY, then measured as any other."""
