"""The nodes that a request has come through, so that nodes which are each other's upstream notice their circle."""

VIA_HEADER = "X-Libreseed-Via"
