"""Links: pure functions from a latent quantity to an expected score."""
