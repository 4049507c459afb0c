"""What the local nets need outside torch: their rows, the teacher that they learn from, how far a row lies off."""
