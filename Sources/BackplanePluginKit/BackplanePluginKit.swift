@_exported import BackplaneABI
