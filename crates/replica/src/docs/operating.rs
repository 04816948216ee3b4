//! For people who run clusters: members, restarts, backups, and what to do when something goes wrong.
//!
//! This page needs no knowledge of the code; links lead to it. It says what a cluster does by itself, what it relies on
//! you for, and what is lost in which case.
//!
//! # Words
//!
//! - A **node** is a place with a number of its own, such as a machine or a replica of a service. The number is its
//!   name.
//! - A **start** is one run of the program on a node. Each start draws an **incarnation**, a number above those of the
//!   starts before: the clock is in its high bits. Node and incarnation together are the **id** of a start.
//! - What one start has written is its **plane**. Every node keeps the planes of all nodes: their sum is the state.
//! - A **member** is a node whose writing must not be lost.
//! - The **store** of a node is a file with the planes that it knows. A node may have none.
//!
//! # Members
//!
//! Every node is told the numbers of the members, in its [configuration](crate::ClusterConfig::with_members) or [while
//! it runs](crate::Replica::set_members). List each node that is part of the cluster, whether it is up or not. The list
//! of every node should be the same, but lists may differ while you change them: the states converge all the same.
//!
//! Members matter for one thing. Every start of a node makes a new plane, and without more a cluster that is restarted
//! ten thousand times would keep ten thousand planes. So the newest start of a node **folds** the planes of its earlier
//! starts into its own, and everybody drops them. Before it does, each member must have reported what it has of these
//! planes, so that nothing is missed. A member that is down therefore holds up folding: the others read, write and
//! converge as always, and planes of ended starts add up until it is back or is no longer a member.
//!
//! The planes of a node that never starts again stay, one for its last start and those that it had no time to fold.
//! They hold what it wrote. [A new cluster](super::growing#a-new-cluster) leaves them behind.
//!
//! If no members are given, nothing is folded.
//!
//! # A start
//!
//! A node that has members and starts without a store, or with one that has never been up to date, *waits* at first: it
//! accepts writes, but takes nothing from others until one of the members has confirmed that it knows of this start.
//! That takes one exchange of packets. If nobody answers, the wait ends [after a few
//! seconds](crate::Timing::with_waiting), or as soon as the program [says](crate::Replica::end_wait) that nobody is
//! there. If it ended too early, this node may show late deltas of its own earlier starts, and drop them again later.
//!
//! # What the cluster relies on
//!
//! 1. **One living start for each name.** Two programs under one number take turns in pushing each other out.
//! 2. **Incarnations grow.** They come from the clock, so a clock that is years ahead must not be used.
//! 3. **Members are all nodes whose writing must not be lost.** A node that is gone for good has to be dropped from the
//!    lists, since folding waits for it.
//!
//! It relies on nothing else. Stores may be lost, and backups of any age may be restored. Packets may be lost,
//! repeated, delayed for any time, and arrive in any order.
//!
//! If a promise is broken, states still converge, and nothing is counted twice. What may be lost:
//!
//! | what was broken | what may be lost |
//! |---|---|
//! | Two starts lived under one name. | What the older one wrote and nobody had reported when the newer one folded it. The older one is told so. |
//! | An incarnation was below an earlier one. | Nothing: the start learns that it was overtaken, and goes on under a greater one. |
//! | One incarnation was used twice, by a copied virtual machine for instance. | What one of the two wrote. If both wrote equally often, nodes may hold different states, which digests find and events name. |
//! | A node was not in the lists. | Late writing of earlier starts of other nodes that only this node had. |
//! | A node was dropped from the lists, and was not gone. | The same. |
//!
//! # Situations
//!
//! | situation | what happens | what to do | what is lost |
//! |---|---|---|---|
//! | A node crashes and starts again with its store. | It folds its earlier start when all members have reported. | Nothing. | What the program had not handed over yet: writes since its last tick. |
//! | A node starts again without a store. | It waits for a member, and learns everything from its peers. | Nothing. | What nobody else had heard of. |
//! | **Last week's backup of one node is restored.** | The node starts under a new incarnation. What the backup lacks comes from the peers; what it has twice is recognised. Nothing is counted twice. What was lost before, and folded without, may show for a moment, and goes again. | Nothing. Restoring is no better than starting without a store, if a peer is up. | What only this node had: writes since it last reached a peer. |
//! | **Two of three disks are lost.** | The two start without stores, and learn everything from the third. | Start the third first, or at least before the two have waited in vain. | What only the two had: writes that had not reached the third. |
//! | All disks are lost. | The cluster is empty. | Restore a backup of any node, the newest if there are several. Backups of several nodes may be restored, of any ages. | What no backup has. |
//! | **The same image runs twice under one name.** | The later start pushes out the earlier one, which reports that it is superseded and refuses further writes of its own. | Stop one of them, or give it another number. Don't let both renew themselves for ever. | What the older one wrote after others had heard of the newer one. What was not ticked stays in the program. |
//! | A virtual machine is copied while it runs. | Both copies write under one id. The first packet from one to the other, or to a peer of both, shows it; the copies stop under this id. | Give one another number, and let each go on under a new incarnation. | Writing of one copy under the shared id. |
//! | The clock of a node was set back. | Its next start is below the last one, and learns so from its peers. | Nothing: the program goes on under a greater incarnation. | Nothing. |
//! | The network is cut. | Each side goes on. Nothing is folded that needs the other side. | Nothing. | Nothing. |
//! | A node is gone for good. | Folding waits for it. | Drop it from the members, on every node. | What only it had. |
//! | A node is to be retired. | | Stop its producers, shut it down in order, and drop it from the members when the others have what it had. Its last plane stays. | Nothing. |
//! | A node is added. | | Add its number to the members of all nodes, then start it. | Nothing. |
//! | A disk is full or fails. | Nothing leaves the node that is not stored. Its peers see no more of it until the disk works. | Make room. | Nothing, unless the node is killed meanwhile. |
//! | An event says that memory was damaged. | The event names the node that is wrong, if that can be known. | Start that node anew, without its store if the store is named. | Nothing, if the others are right. |
