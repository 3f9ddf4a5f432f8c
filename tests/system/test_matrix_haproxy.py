from haproxy import Haproxy
from matrix import Matrix


class TestHaproxy(Matrix):
    make_server = Haproxy
