"""What the tests of the real-client suite share: the server, the engines, images and raw clients."""
