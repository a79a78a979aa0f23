"""What an explainer says of a picture: which object parts its performer decided by."""
