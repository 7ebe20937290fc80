"""Where weights are published that several families come from."""

OPENCV_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo"
