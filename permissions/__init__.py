"""This room is who may: the only one that knows grants. Every read starts from `visible`."""

from permissions.refused import Reason, Refused
from permissions.viewer import Viewer
from permissions.visible import visible

__all__ = ["Reason", "Refused", "Viewer", "visible"]
