from nginx import Nginx
from matrix import Matrix


class TestNginx(Matrix):
    make_server = Nginx
