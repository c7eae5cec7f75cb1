"""The napari side: controller and views."""
