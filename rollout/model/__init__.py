"""What people declare and what the controller writes back."""
