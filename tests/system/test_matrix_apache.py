from apache import Apache
from matrix import Matrix


class TestApache(Matrix):
    make_server = Apache
