"""What a backup is as a file: an archive with a manifest, possibly encrypted, in a folder that keeps some of them."""
