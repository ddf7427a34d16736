"""What a network sees in pictures: features that sets of pictures are compared by. Importing this loads no torch."""
