"""The pages that the shop serves to browsers."""
