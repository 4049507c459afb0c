"""Convex fits that several methods share: arrays and records in, minima with their certificate out."""
