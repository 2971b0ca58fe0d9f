"""What the scripts of this folder share. Standard library only: they run before anything is installed."""
