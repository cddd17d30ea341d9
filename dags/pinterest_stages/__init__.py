"""The pipeline's stages, one module each, and the flows made of them."""
