"""Gates: is a painted defect where it should be, visible, on the object, and not a copy of a training defect?"""
