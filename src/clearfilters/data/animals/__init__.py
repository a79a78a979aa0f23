"""The embedded animals: six classes drawn by rule, written in the official raw layouts."""
