// A language model is used with the runtime: one import brings both.
@_exported import Backplane
