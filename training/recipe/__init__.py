"""Recipes, read strictly."""
