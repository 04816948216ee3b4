"""Uses two nodes by redis-py: ci/redis-py.sh runs this."""

import contextlib
import subprocess
import sys
import time

import redis


@contextlib.contextmanager
def node(number, *arguments):
    command = [sys.argv[1], "--id", str(number), "--len", "1000", "--redis", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 0


def client(fields):
    host, port = fields["redis"].split(":")
    return redis.Redis(host=host, port=int(port), decode_responses=True)


def main():
    with node(1, "--listen", "127.0.0.1:0") as first, node(2, "--peer", first["listen"]) as second:
        one, two = client(first), client(second)
        assert one.ping() and one.echo("hello") == "hello"
        assert one.set(7, 42) and one.get(7) == "42"
        assert (one.incr(7), one.incrby(7, 9), one.decr(7, 2)) == (43, 52, 50)
        assert one.mset({1: 10, 2: -20}) and one.mget(1, 2, 3) == ["10", "-20", "0"]
        assert one.dbsize() == 1000 and one.info()["server"] == "atomik-node"
        with one.pipeline(transaction=False) as pipeline:
            for _ in range(1000):
                pipeline.incr(9)
            assert pipeline.execute() == list(range(1, 1001))
        try:
            one.get("foo")
            sys.exit("a key that is none was accepted")
        except redis.ResponseError as error:
            assert "is no key" in str(error), error
        end = time.monotonic() + 30
        while two.info()["listening"] or not two.info()["connected_peers"] or one.info()["listening"]:
            assert time.monotonic() < end, "the nodes are not connected"
            time.sleep(0.01)
        assert one.execute_command("ATOMIK.WAIT", 20000) == 1
        assert two.mget(7, 1, 2, 9) == ["50", "10", "-20", "1000"]
        print("redis-py: all as expected")


main()
