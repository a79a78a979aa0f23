"""What a trained network answers for a picture, and which filters and pixels it answers from."""
