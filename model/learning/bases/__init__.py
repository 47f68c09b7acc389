"""Pretrained encoders that come as Python packages, for machines that reach no model hub."""
