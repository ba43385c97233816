"""What the lessons call: one folder for each lesson, and what they share."""
