"""The layouts and versions of MMAU."""
