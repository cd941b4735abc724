"""sevenepochs: how low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?"""
