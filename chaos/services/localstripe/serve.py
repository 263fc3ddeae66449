# One localstripe: on loopback, at the port it is told, with its state in the directory it is started in. By itself it
# listens to every network and keeps one file in /tmp for all servers of a machine.
import os
import pickle
import sys

from aiohttp import web
from localstripe import resources, server

STATE = 'state.pickle'


def load(store):
    if os.path.exists(STATE):
        with open(STATE, 'rb') as file:
            store.update(pickle.load(file))


def dump(store):
    # Under its name only when it is whole: a kill may come at any time.
    with open(STATE + '.new', 'wb') as file:
        pickle.dump(store, file, protocol=pickle.HIGHEST_PROTOCOL)
    os.replace(STATE + '.new', STATE)


resources.Store.try_load_from_disk = load
resources.Store.dump_to_disk = dump
resources.store.try_load_from_disk()
web.run_app(server.app, host='127.0.0.1', port=int(sys.argv[1]), print=None)
