print("backplane-probe")
