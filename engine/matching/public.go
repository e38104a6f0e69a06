package matching

import "strings"

// publicMailbox has the domains in which everybody can have an address, so that sharing one says nothing. It is a short
// selection by number of mailboxes, country by country, of lists such as github.com/willwhite/freemail (data/free.txt).
// A domain that is missing here does little harm: one match by domain alone waits for a review.
var publicMailbox = set(`
	gmail.com googlemail.com yahoo.com ymail.com rocketmail.com myyahoo.com hotmail.com outlook.com live.com msn.com
	passport.com
	icloud.com me.com mac.com aol.com aim.com mail.com email.com usa.com gmx.com zoho.com zohomail.com inbox.com
	hey.com
	proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tutamail.com tuta.com tuta.io keemail.me
	fastmail.com fastmail.fm hushmail.com mailfence.com startmail.com posteo.de posteo.net mailbox.org runbox.com
	duck.com
	comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net juno.com
	optonline.net
	frontier.com windstream.net roadrunner.com shaw.ca rogers.com sympatico.ca telus.net videotron.ca yahoo.ca
	hotmail.ca live.ca
	yahoo.co.uk hotmail.co.uk live.co.uk outlook.co.uk btinternet.com sky.com talktalk.net virginmedia.com
	ntlworld.com blueyonder.co.uk
	gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de arcor.de online.de 1und1.de yahoo.de hotmail.de
	live.de outlook.de
	bluewin.ch hispeed.ch aon.at chello.at
	orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr numericable.fr yahoo.fr hotmail.fr live.fr
	outlook.fr gmx.fr
	libero.it virgilio.it alice.it tin.it tim.it tiscali.it fastwebnet.it yahoo.it hotmail.it live.it outlook.it
	yahoo.es hotmail.es outlook.es telefonica.net terra.es sapo.pt
	ziggo.nl kpnmail.nl planet.nl xs4all.nl home.nl hetnet.nl live.nl hotmail.nl telenet.be skynet.be proximus.be
	telia.com bredband.net online.no yahoo.se hotmail.se live.se live.dk hotmail.dk mail.dk luukku.com
	wp.pl o2.pl onet.pl interia.pl op.pl gazeta.pl tlen.pl seznam.cz email.cz centrum.cz post.cz azet.sk zoznam.sk
	freemail.hu citromail.hu abv.bg mail.bg yahoo.gr hotmail.gr otenet.gr eircom.net
	mail.ru inbox.ru list.ru bk.ru internet.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net i.ua
	qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn aliyun.com tom.com
	naver.com hanmail.net daum.net nate.com kakao.com yahoo.co.jp docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp
	yahoo.co.in yahoo.in rediffmail.com hotmail.co.in yahoo.co.id yahoo.com.sg yahoo.com.ph yahoo.com.vn
	yahoo.com.hk yahoo.com.tw
	yahoo.com.au hotmail.com.au live.com.au bigpond.com bigpond.net.au optusnet.com.au iinet.net.au xtra.co.nz
	yahoo.com.br hotmail.com.br outlook.com.br uol.com.br bol.com.br terra.com.br ig.com.br globo.com
	yahoo.com.mx hotmail.com.mx prodigy.net.mx yahoo.com.ar hotmail.com.ar outlook.com.ar
	walla.co.il walla.com bezeqint.net yahoo.com.tr mynet.com mweb.co.za vodamail.co.za telkomsa.net
`)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(words) {
		all[word] = true
	}
	return all
}
