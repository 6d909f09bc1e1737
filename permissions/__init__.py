"""Authorization: the only package that knows grants. Every read starts from `visible`."""

from permissions.error import ErrorCode, OperationError
from permissions.viewer import Viewer
from permissions.visible import visible

__all__ = ["ErrorCode", "OperationError", "Viewer", "visible"]
