# Ends a server together with the process that started it, however that ends: the pipe on standard input closes then.
# Each line of it is the process id of the server as it is now, 0 for none. Removes the server's directory, $1.
trap '' INT TERM HUP
server=0
while read -r line; do server=$line; done
if [ "$server" -gt 0 ]; then
  # Stopped first, so that it starts nothing between the listing and the end of what it has started.
  kill -STOP "$server" && kill -KILL "$server" $(cat "/proc/$server/task/"*/children)
fi
rm -rf -- "$1"
