"""NBD servers under test: starts them on images of their own, says what they cost, and takes everything away again.

What is started in a `Workplace` ends with it, also by SIGINT, SIGTERM and SIGHUP: servers, sockets, images.
"""

import contextlib
import glob
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROJECT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../.."))
REMAP = os.path.join(PROJECT, "remap")
START_SECONDS = 120
STOP_SECONDS = 60
SPARE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20

NBDKIT = "nbdkit -f -P {pid} -U {socket} file {image}"
QEMU = "qemu-nbd -t -e 64 -f raw --pid-file={pid} -k {socket}"
PEERS = {
    "nbdkit-file": NBDKIT,
    "qemu-nbd": QEMU + " {image}",
    "qemu-native": QEMU + " --cache=none --aio=native {image}",
    "qemu-io_uring": QEMU + " --cache=none --aio=io_uring {image}",
    "qemu-threads": QEMU + " --cache=none --aio=threads {image}",
}
REMAP_SERVE = (
    "{remap} serve {image} --spare {spare} {door} --transport {transport} --name {name} --pid-file {pid} --socket {socket}"
)


class NotAsAsked(Exception):
    """A server runs, but not as the thing that was to be measured."""


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


class Workplace(contextlib.ExitStack):
    """Everything that a benchmark puts up; leaving it undoes that, newest first."""

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupted)
        # A user's services and witnesses are not to be met.
        self.home = self.directory(tempfile.gettempdir())
        os.environ["XDG_RUNTIME_DIR"] = self.home
        os.environ["REMAP_STATE_DIR"] = os.path.join(self.home, "state")
        return super().__enter__()

    @staticmethod
    def _interrupted(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        say("interrupted: cleaning up")
        sys.exit(128 + number)

    def directory(self, parent):
        return self.enter_context(tempfile.TemporaryDirectory(dir=parent, prefix="remap-bench."))

    def server(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.callback(server.stop)
        server.start()
        return server


class Server:
    """One server process. `pid`, `uri` and `status` (of remap) are there after `start`."""

    def __init__(self, name, words, directory, image, home, java_options=""):
        self.name = name
        self.image = image
        self.socket = os.path.join(home, name + ".sock")
        self.uri = "nbd+unix:///?socket=" + self.socket
        self.pid_file = os.path.join(home, name + ".pid")
        self.log = os.path.join(home, name + ".log")
        fill = dict(image=image, socket=self.socket, pid=self.pid_file, remap=REMAP, name="bench-" + name,
                    spare=os.path.join(directory, name + ".spare"))
        self.command = [word.format(**fill) for word in words.split()]
        self.java_options = java_options
        self.is_remap = self.command[0] == REMAP
        self.process = None
        self.pid = 0
        self.ready_seconds = 0.0
        self.status = {}

    def start(self):
        begun = time.monotonic()
        environment = dict(os.environ)
        if self.java_options:
            environment["REMAP_JAVA_OPTS"] = self.java_options
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment)
        while not self._is_ready():
            if self.process.poll() is not None:
                raise SystemExit("%s did not start:\n%s" % (self.name, self.output()))
            if time.monotonic() > begun + START_SECONDS:
                raise SystemExit("%s is not ready after %d s:\n%s" % (self.name, START_SECONDS, self.output()))
            time.sleep(0.005)
        self.ready_seconds = time.monotonic() - begun
        with open(self.pid_file) as file:
            self.pid = int(file.read())
        if self.is_remap:
            self.status = json.loads(subprocess.run(
                [REMAP, "status", "bench-" + self.name, "--json"], check=True, capture_output=True, text=True
            ).stdout)["services"][0]

    def _is_ready(self):
        if not (os.path.exists(self.pid_file) and os.path.getsize(self.pid_file)):
            return False
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.socket)
            except OSError:
                return False
        return True

    def output(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-2000:]

    def check_transport(self, wanted):
        """Refuses to take a fallback for what was asked for."""
        if self.status["transport"] != wanted:
            opt = next((f for f in self.status["features"] if f["name"] == "I/O-opt"), {})
            raise NotAsAsked("transport '%s' was asked for, '%s' serves (I/O-opt: %s %s)" % (
                wanted, self.status["transport"], opt.get("state", "?"), opt.get("detail", "")))

    def parts(self):
        """Which parts of remap really move the bytes, for the report."""
        return {key: self.status[key] for key in ("transport", "ioEngine", "bufferPool") if key in self.status}

    def cpu_seconds(self):
        """Of all threads of the process, also those that ended: its CPU clock, see clock_getcpuclockid(3)."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory_mib(self, key="VmHWM"):
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key + ":")) / 1024

    def forget_peak(self):
        """VmHWM counts from now on, see proc(5)."""
        with open("/proc/%d/clear_refs" % self.pid, "w") as file:
            file.write("5")

    def jcmd(self, *words):
        """Asks the JVM; empty if this Java has no jcmd."""
        tool = os.path.join(os.path.dirname(os.readlink("/proc/%d/exe" % self.pid)), "jcmd")
        if not os.path.exists(tool):
            return ""
        return subprocess.run([tool, str(self.pid), *words], capture_output=True, text=True, timeout=60).stdout

    def heap_bytes(self):
        """What is used of the heap, garbage included; None if it cannot be told."""
        used = re.findall(r"(?:def new generation|tenured generation).*?used (\d+)K", self.jcmd("GC.heap_info"))
        return sum(map(int, used)) * 1024 if used else None

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            say("%s did not end within %d s: killed" % (self.name, STOP_SECONDS))
            self.process.kill()
            self.process.wait()


def remap_words(transport, door, settings=()):
    words = REMAP_SERVE.replace("{transport}", transport).replace("{door}", door)
    return " ".join([words] + ["--set " + each for each in settings])


def build_remap():
    """So that no start is measured or awaited that builds."""
    subprocess.run([REMAP, "--version"], check=True, stdout=subprocess.DEVNULL)


def require_space(directory, wanted_bytes):
    free = shutil.disk_usage(directory).free
    if is_in_memory(directory):
        with open("/proc/meminfo") as info:
            available = next(int(line.split()[1]) for line in info if line.startswith("MemAvailable")) << 10
        free = min(free, available - (1 << 30))
    if free < wanted_bytes:
        raise SystemExit("%s has room for %.1f GiB, %.1f are needed" % (directory, free / 2**30, wanted_bytes / 2**30))


def make_image(path, size_bytes, seed=0):
    """Random content, written and not cloned, so that no two images share blocks; on stable storage when it returns."""
    block = os.urandom(CHUNK_BYTES)
    with open(path, "wb") as image:
        for number in range(size_bytes // CHUNK_BYTES):
            image.write(number.to_bytes(8, "little") + seed.to_bytes(8, "little") + block[16:])
        image.flush()
        os.fsync(image.fileno())


def make_spare(path, size_bytes=SPARE_BYTES):
    with open(path, "wb") as spare:
        spare.truncate(size_bytes)


def read_all(path):
    """Brings a file into the page cache."""
    with open(path, "rb", buffering=0) as file:
        while file.read(CHUNK_BYTES):
            pass


def file_system(directory):
    return first_line("findmnt", "-n", "-o", "FSTYPE", "-T", directory)


def is_in_memory(directory):
    return file_system(directory) in ("tmpfs", "ramfs")


def first_line(*command):
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return "missing"
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else ""


def machine():
    """What the figures depend on."""
    with open("/proc/cpuinfo") as info:
        models = re.findall(r"^model name\s*: (.*)$", info.read(), re.M)
    with open("/proc/meminfo") as info:
        memory = int(info.readline().split()[1]) / 2**20
    commit = subprocess.run(["git", "-C", PROJECT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "cpu": "%d x %s" % (os.cpu_count(), models[0] if models else platform.machine()),
        "memory": "%.0f GiB" % memory,
        "kernel": platform.release(),
        "java": first_line("java", "-version"),
        "remap": commit.stdout.strip() or "unknown",
        "nbdkit": first_line("nbdkit", "--version"),
        "qemu-nbd": first_line("qemu-nbd", "--version"),
        "fio": first_line("fio", "--version"),
    }


def java_command(*options):
    """Runs a class of the tests inside the module of the commands, with the modules of the product."""
    library = os.path.join(PROJECT, "target/remap/current/lib")
    architecture = {"x86_64": "x86_64", "aarch64": "aarch_64"}.get(platform.machine(), "none")
    natives = glob.glob("%s/netty-transport-native-*-linux-%s.jar" % (library, architecture))
    modules = ["io.netty.transport.%s.linux.%s" % (os.path.basename(jar).split("-")[3], architecture) for jar in natives]
    if glob.glob(library + "/netty-common-*.jar"):
        modules.append("io.netty.common")
    command = ["java", *options, "-XX:+UseSerialGC", "--module-path", library,
               "--patch-module", "io.remap.cli=" + os.path.join(PROJECT, "remap-cli/target/test-classes")]
    return command + (["--add-modules", ",".join(modules)] if modules else [])


def load(directory, name):
    """What was saved, None if nothing was."""
    path = os.path.join(directory, name + ".json")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


def save(directory, name, result):
    """Whole or not at all: a result is written after every round, and an interrupt may come at any time."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".json")
    with open(path + ".new", "w") as file:
        json.dump(result, file, indent=1)
    os.replace(path + ".new", path)
    return path
