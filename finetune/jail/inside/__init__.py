"""What runs on the other side: inside the jail, and where the tests run.

These files are sent as text to interpreters that cannot import this package (the system's Python in
a jail, ours stripped of its environment), so they import the standard library and each other alone
and run on Python 3.10.
"""
