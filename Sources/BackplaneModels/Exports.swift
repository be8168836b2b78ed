// The core's vocabulary (graphs, formats, errors) comes with this module, for its own files and for whoever imports it.
@_exported import BackplaneCore
@_exported import BackplaneSpecs
