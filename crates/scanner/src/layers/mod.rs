//! From the bytes of layers to the packages of an image.
