"""Pictures of a whole analysis: what was where, who went where, and when who was seen.

They are functions of the video and the settings alone, as the other results are, and take little memory
however long the video is.
"""
