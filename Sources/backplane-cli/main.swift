print("backplane")
